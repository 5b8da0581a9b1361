"""Config fields of the Dagster page: the profile generated, the secrets masked."""
