"""What a network takes where it runs: time and bytes, measured and not derived."""
