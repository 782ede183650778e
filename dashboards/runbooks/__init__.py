"""What staff read when an alert has fired; the pages are written by the generator of the alert rules."""
