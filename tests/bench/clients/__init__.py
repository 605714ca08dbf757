"""The four clients that are compared, behind one small interface."""
