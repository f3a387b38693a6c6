"""The scripts of the trade: run, compare, lint and stamp the chapters."""
