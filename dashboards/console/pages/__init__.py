"""What people on call see: server-rendered pages over the snapshot in memory and a few indexed queries."""
