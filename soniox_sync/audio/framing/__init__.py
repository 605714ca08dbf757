"""Where the audio of a container can be decoded from, and at which times."""
