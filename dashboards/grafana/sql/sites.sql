-- The choices of the variable $site.
SELECT DISTINCT site FROM pump_site ORDER BY 1
