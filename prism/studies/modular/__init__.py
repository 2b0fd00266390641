"""Do parts that were trained apart work together? Three domains, trunk, parts, sum, joint run."""
