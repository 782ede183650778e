-- The choices of the variable $pump: those that begin with what is typed, never a whole large fleet.
SELECT pump FROM pump_site WHERE pump LIKE '$__searchFilter' ORDER BY 1 LIMIT 1000
