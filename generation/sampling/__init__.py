"""The command `sample`: its arguments, options, bill, progress and console, the file it fills, and how it samples."""
