"""What a conversation adds to the services it uses: `python -m tests.bench conversation`."""
