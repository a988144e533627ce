//! Each law broken in the records, to see that the judge complains, and of what.
