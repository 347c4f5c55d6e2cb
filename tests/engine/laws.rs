//! The laws that hold whatever the flavour and whenever the program dies.
