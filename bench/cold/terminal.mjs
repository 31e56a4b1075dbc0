// Loaded before the command: it shows its steps on terminals only, and the benchmark reads them from a pipe.
process.stderr.isTTY = true;
