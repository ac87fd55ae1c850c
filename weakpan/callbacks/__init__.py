"""Lightning callbacks: write CAMs, write labels, show progress."""
