"""Events of a completion into pieces of an answer, shared by every protocol."""
