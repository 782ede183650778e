INSERT INTO pump (pump, at, site, model, reservoir_ml, low_reservoir_ml, dead_volume_ul, min_rate_ul_h, max_rate_ul_h,
                  flow_tolerance, pressure_limit_kpa, stability_days, upload_every_s, high_risk)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::float8[], $6::float8[], $7::float8[],
                     $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::bool[])
ON CONFLICT (pump) DO UPDATE SET
    at = EXCLUDED.at, site = EXCLUDED.site, model = EXCLUDED.model,
    reservoir_ml = EXCLUDED.reservoir_ml, low_reservoir_ml = EXCLUDED.low_reservoir_ml, dead_volume_ul = EXCLUDED.dead_volume_ul,
    min_rate_ul_h = EXCLUDED.min_rate_ul_h, max_rate_ul_h = EXCLUDED.max_rate_ul_h, flow_tolerance = EXCLUDED.flow_tolerance,
    pressure_limit_kpa = EXCLUDED.pressure_limit_kpa, stability_days = EXCLUDED.stability_days, upload_every_s = EXCLUDED.upload_every_s,
    high_risk = EXCLUDED.high_risk
