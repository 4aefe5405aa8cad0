"""Between Airflow and the stages: sensors, triggers and operators, laid out as Airflow's providers do it."""
