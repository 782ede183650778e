-- How alerting itself does: views after ISA-18.2 and EEMUA 191.
SELECT 1;
