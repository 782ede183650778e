-- A pump's whole log as an export writes it: also what lost a conflict of ids or repeats known rows.
SELECT payload, received FROM events WHERE pump = $1 ORDER BY at, id, digest
