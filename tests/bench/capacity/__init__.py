"""What N live sessions, recordings, speeches and streams in one process cost."""
