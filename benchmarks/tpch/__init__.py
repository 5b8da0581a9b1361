"""TPC-H as one graph of assets, for this project and for others."""
