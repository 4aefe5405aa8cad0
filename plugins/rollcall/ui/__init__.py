"""What Rollcall adds to Airflow's user interface."""
