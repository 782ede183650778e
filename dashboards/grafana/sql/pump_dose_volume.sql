-- Volume of each window at its end, and the part of it that has telemetry.
SELECT $__time(at), programmed_ul AS "programmed", sensed_ul AS "sensed", bolus_ul AS "of it by bolus",
       priming_ul AS "priming, not to the patient", coverage AS "coverage"
FROM dose_now
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
ORDER BY 1
