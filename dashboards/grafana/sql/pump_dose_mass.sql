-- Dose of each window at its end: what was programmed, what was sensed, what left the catheter's tip.
SELECT $__time(at), programmed_ug AS "programmed", sensed_ug AS "sensed", tip_ug AS "at the tip"
FROM dose_now
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
ORDER BY 1
