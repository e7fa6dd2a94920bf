"""Studies: many sessions of one protocol over seeds and settings, `decoderd study`.

study          the study file: a protocol, seeds, settings that vary, measures
settings       one validated protocol for each setting and seed, and the key of its result
measures       the contract of measures, and those that a study asks for
days           the days of a recorded session, as measures read them
performance    measures of trials and of learning
compaction     measures of counts: number of units needed, participation ratio
session_batch  many sessions of one protocol computed together, as arrays
batch_days     the days of such a batch, and the same days as measures read them
folder         the folder of a study: which study it is, its results, its locks
parts          one part of a study: sessions that are run and measured, with their results as files
processes      parts on processes of this machine, which may be killed
cluster        parts on the workers of a Dask scheduler
running        which parts are missing, and running them
tables         results as CSV and Parquet
report         one HTML page: values and curves with intervals over seeds
"""
