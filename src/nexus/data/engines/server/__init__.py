"""What the engines that talk to a database server have in common."""
