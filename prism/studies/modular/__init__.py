"""Study of experts trained apart: three domains, backbone, branches, their sum, a joint run."""
