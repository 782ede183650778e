"""A fleet of imaginary pumps: what clinics do to them, what their flow is, what their sensors show, when it arrives."""
