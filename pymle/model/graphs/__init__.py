"""What is put right in log-density graphs before they are lowered."""
