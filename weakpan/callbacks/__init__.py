"""Lightning callbacks: write labels, show progress."""
