"""What stages share: command line, params, paths, rows, code, resume, provenance, bench."""
