"""The gates that a version passes on its way to a stage: one file each, each gives one finding."""
