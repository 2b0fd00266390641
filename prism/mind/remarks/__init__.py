"""Remarks: sentences kept in their own words, and questions answered by aligning with them."""
