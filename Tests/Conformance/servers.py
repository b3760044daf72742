"""More JITs, and servers of many processes: one row each."""

from rows import Row

LUA = r"""cat > work.lua <<'L'
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local t = {}
for i = 1, 30000 do t[i] = (i * 7919) % 10007 end
table.sort(t)
local co = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i * i) end end)
local s = 0
for i = 1, 1000 do s = s + co() end
print(fib(24), t[100], t[29999], s, #string.rep("ab", 1000):gsub("a", "xyz"))
print(pcall(function() error("caught") end))
L
"""

PYPY = r"""cat > work.py <<'P'
import collections, hashlib, json, threading
def work(n):
    s = 0
    for i in range(n):
        s = (s * 31 + i) % 1000003
    return s
print([work(n) for n in (10, 1000, 60000)], hashlib.sha256(b"x").hexdigest()[:8])
print(json.dumps(collections.Counter("abracadabra"), sort_keys=True))
sums = [0] * 4
def run(k): sums[k] = work(2000 * k)
threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(sums)
P
"""

# Its JIT writes code through one mapping and executes it through another.
ERLANG = r"""cat > work.erl <<'E'
main(_) ->
    Self = self(),
    [spawn(fun() -> Self ! lists:sum([X * X || X <- lists:seq(1, I)]) end) || I <- lists:seq(1, 200)],
    io:format("~p~n", [lists:sum([receive N -> N end || _ <- lists:seq(1, 200)])]),
    T = ets:new(t, [set]), [ets:insert(T, {I, I * I}) || I <- lists:seq(1, 1000)],
    io:format("~p~n", [ets:lookup(T, 77)]).
E
"""

LISP = r"""cat > work.lisp <<'L'
(defun fib (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(format t "~a~%" (fib 20))
(let ((table (make-hash-table))) (dotimes (i 20000) (setf (gethash (mod i 97) table) (list i))) (sb-ext:gc :full t) (format t "~a~%" (hash-table-count table)))
(format t "~a~%" (handler-case (error "caught") (error (e) e)))
(format t "~a~%" (funcall (compile nil '(lambda (x) (* x x))) 12))
L
"""

FREE_PORT = """/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > port
"""

NGINX = FREE_PORT + r"""mkdir www; echo hello > www/index.html; seq 20000 > www/numbers
cat > conf <<C
worker_processes 2; pid $PWD/pid; error_log $PWD/errors; daemon on;
events {}
http { access_log off; client_body_temp_path $PWD/t; proxy_temp_path $PWD/t; fastcgi_temp_path $PWD/t; uwsgi_temp_path $PWD/t;
  scgi_temp_path $PWD/t; server { listen 127.0.0.1:$(cat port); root $PWD/www; } }
C
"""
NGINX_RUN = r"""/usr/sbin/nginx -c $PWD/conf 2>/dev/null; at=http://127.0.0.1:$(cat port); for i in 1 2 3 4; do curl -s $at/; done
curl -s $at/numbers | sha256sum; curl -s -o /dev/null -w '%{http_code}\n' $at/none
p=$(cat pid); kill -QUIT $p; while [ -e /proc/$p/exe ]; do sleep 0.05; done; echo ended"""

# Buffers, latches and semaphores in memory shared by a dozen processes.
POSTGRES = FREE_PORT
POSTGRES_RUN = r"""bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1); port=$(cat port); data=/tmp/bis-postgres-$port; mkdir $data; trap 'rm -r $data' EXIT
run=; if [ "$(id -u)" = 0 ]; then chown nobody $data; run="setpriv --reuid=nobody --regid=nogroup --clear-groups"; fi
$run $bin/initdb -D $data -A trust -U me > /dev/null 2>&1; echo initdb $?
$run $bin/pg_ctl -D $data -o "-p $port -k $data" -w -t 120 start -l $data/log > /dev/null; echo started $?
$bin/psql -h $data -p $port -U me -At postgres <<'Q'
create table t as select i, i * i as s, 'name' || i % 97 as n from generate_series(1, 5000) i;
create index on t (n); select sum(s), count(distinct n) from t; begin; update t set s = s + 1 where i % 3 = 0; rollback; select sum(s) from t; vacuum analyze t;
Q
$run $bin/pg_ctl -D $data -m fast -w -t 120 stop > /dev/null; echo stopped $?"""


def rows():
    def r(name, argv, setup="", **more):
        return Row("runtimes/" + name, argv, setup, **more)

    def s(name, script, setup="", **more):
        return Row("servers/" + name, ["bash", "-c", script], setup, **more)

    return [
        r("luajit", ["luajit", "work.lua"], LUA, needs=("luajit",), checksum=5),
        r("pypy", ["pypy3", "work.py"], PYPY, needs=("pypy3",), checksum=200, timeout=90),
        r("erlang", ["escript", "work.erl"], ERLANG, needs=("escript",), checksum=1000, timeout=120),
        r("sbcl", ["sbcl", "--script", "work.lisp"], LISP, needs=("sbcl",), checksum=100, timeout=90),
        s("nginx", NGINX_RUN, NGINX, needs=("/usr/sbin/nginx", "curl"), checksum=20, timeout=60, ignore=("t*", "errors", "pid", "port", "conf")),
        s("postgres", POSTGRES_RUN, POSTGRES, needs=("/usr/bin/pg_ctlcluster", "psql"), checksum=500, timeout=300, long=True,
          ignore=("port",)),
    ]
