// Guest: see ARCHITECTURE.md.
