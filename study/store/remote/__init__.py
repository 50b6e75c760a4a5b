"""Studies kept at a URL: machines work on local copies, of which snapshots are sent there."""
