"""Tests by ring: unit, property and golden need nothing; integration and chaos run the native stack; rules read the tree."""
