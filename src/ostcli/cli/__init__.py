"""The command line `ost`: the only place that prints or exits."""
