"""What each part of the method buys: variants trained, exported and scored alike."""
