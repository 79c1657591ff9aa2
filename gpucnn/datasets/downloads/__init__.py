"""Files of an address: downloaded within limits, checked, and kept in the cache folder."""
