"""The checks of `soniox-sync doctor`: a plan and its advice without I/O, and the checks."""
