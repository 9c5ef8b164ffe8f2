"""The long attacks on the app and its files, each bounded in time: `python -m tests.soak`."""
