"""What `make bench` runs, and the rivals it runs against."""
