/// The version of bis, as `bis --version` prints it and manifests hold it.
public let bisVersion = "0.1.0"
