"""What a file's bytes tell before anything is decoded: its container, where the audio lies, and whether it is cut."""
