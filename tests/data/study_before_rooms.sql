BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'derived');
INSERT INTO "studies" VALUES(2,'pruned');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',1,1);
INSERT INTO "study_directions" VALUES(3,'MINIMIZE',1,2);
INSERT INTO "study_directions" VALUES(4,'MAXIMIZE',2,0);
INSERT INTO "study_directions" VALUES(5,'MINIMIZE',2,1);
INSERT INTO "study_directions" VALUES(6,'MINIMIZE',2,2);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["accuracy", "size_bytes", "latency_ms"]');
INSERT INTO "study_system_attributes" VALUES(2,1,'dashboard:note_ver','1');
INSERT INTO "study_system_attributes" VALUES(3,1,'dashboard:note_str:0','"# derived\n\nTask `fruit` on corners: 240 training and 90 validation images, 2 epochs a trial.\n\n- `accuracy` (maximize): fraction of validation images the converted model labels rightly\n- `size_bytes` (minimize): size of the converted model, gzip-compressed, in bytes\n- `latency_ms` (minimize): median time of one inference on host, in milliseconds\n\nA trial with `derived_from` shares the training of that trial, under another quantization scheme."');
INSERT INTO "study_system_attributes" VALUES(4,2,'study:metric_names','["accuracy", "size_bytes", "latency_ms"]');
INSERT INTO "study_system_attributes" VALUES(5,2,'dashboard:note_ver','1');
INSERT INTO "study_system_attributes" VALUES(6,2,'dashboard:note_str:0','"# pruned\n\nTask `fruit` on corners: 240 training and 90 validation images, 2 epochs a trial.\n\n- `accuracy` (maximize): fraction of validation images the converted model labels rightly\n- `size_bytes` (minimize): size of the converted model, gzip-compressed, in bytes\n- `latency_ms` (minimize): median time of one inference on host, in milliseconds\n\nA trial with `derived_from` shares the training of that trial, under another quantization scheme."');
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'task','{"name": "fruit", "ref": "fruit", "epochs": 2, "data_name": "corners", "data_path": "corners.npz", "data_fingerprint": "0ce44c3d3531e5df", "generated": false, "class_names": ["0", "1", "2"], "input_shape": [24, 24, 3], "n_train": 240, "n_val": 90, "n_test": 90, "notes": ["The baseline of task ''fruit'' is not tried: Parameter ''family'' cannot be ''flatten_dense'': it is one of cnn."], "baseline": {}, "baseline_note": "two convolutions and 1,664 dense units on all they see, 15.4 million parameters; a network of that size had 95 % on photos in the project it comes from, at 183 MB (.h5), and 67.5 % pruned and quantized to 15.26 MB", "settled": {}, "model_notes": []}');
INSERT INTO "study_user_attributes" VALUES(2,1,'search_space','[{"name": "learning_rate", "kind": "float", "default": 0.003, "low": 0.0003, "high": 0.02, "log": true}, {"name": "batch_size", "kind": "categorical", "default": 32, "choices": [16, 32, 64, 128]}, {"name": "optimizer", "kind": "categorical", "default": "adam", "choices": ["adam", "sgd"]}, {"name": "weight_decay", "kind": "float", "default": 1e-06, "low": 1e-06, "high": 0.01, "log": true}, {"name": "augmentation", "kind": "categorical", "default": "none", "choices": ["none", "flip+shift"]}, {"name": "augmentation_strength", "kind": "float", "default": 0.5, "low": 0.1, "high": 1.0, "conditions": [{"parameter": "augmentation", "values": ["flip+shift"]}]}, {"name": "family", "kind": "categorical", "default": "cnn", "choices": ["cnn"]}, {"name": "dropout", "kind": "float", "default": 0.0, "low": 0.0, "high": 0.5}, {"name": "blocks", "kind": "int", "default": 3, "low": 2, "high": 4, "step": 1, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "convolution", "kind": "categorical", "default": "plain", "choices": ["plain", "separable"], "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_1", "kind": "int", "default": 16, "low": 8, "high": 32, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_2", "kind": "int", "default": 32, "low": 8, "high": 64, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_3", "kind": "int", "default": 40, "low": 16, "high": 64, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "blocks", "values": [3, 4]}]}, {"name": "filters_4", "kind": "int", "default": 56, "low": 16, "high": 96, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "blocks", "values": [4]}]}, {"name": "head", "kind": "categorical", "default": "average", "choices": ["flatten", "average"], "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "dense_units", "kind": "int", "default": 16, "low": 16, "high": 128, "step": 16, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "head", "values": ["flatten"]}]}, {"name": "pruning_schedule", "kind": "categorical", "default": "none", "choices": ["none", "constant", "polynomial"]}, {"name": "final_sparsity", "kind": "float", "default": 0.475, "low": 0.3, "high": 0.95, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_begin", "kind": "float", "default": 0.2, "low": 0.0, "high": 0.4, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_end", "kind": "float", "default": 0.7, "low": 0.5, "high": 0.9, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_frequency", "kind": "float", "default": 0.02, "low": 0.01, "high": 0.1, "log": true, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "quantization", "kind": "categorical", "default": "float32", "choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}]');
INSERT INTO "study_user_attributes" VALUES(3,1,'data_fingerprint','"0ce44c3d3531e5df"');
INSERT INTO "study_user_attributes" VALUES(4,1,'device','"host"');
INSERT INTO "study_user_attributes" VALUES(5,1,'size_metric','"gzip"');
INSERT INTO "study_user_attributes" VALUES(6,1,'limits','{"max_size_bytes": null, "max_latency_ms": null, "min_accuracy": null, "max_ram_bytes": null}');
INSERT INTO "study_user_attributes" VALUES(7,1,'sampler','"gp"');
INSERT INTO "study_user_attributes" VALUES(8,1,'seed','3');
INSERT INTO "study_user_attributes" VALUES(9,1,'reference_point','{"error": 0.6666666666666667, "size_bytes": 100000000.0, "latency_ms": 10000.0}');
INSERT INTO "study_user_attributes" VALUES(10,1,'format','1');
INSERT INTO "study_user_attributes" VALUES(11,1,'n_trials','2');
INSERT INTO "study_user_attributes" VALUES(12,1,'reference_ms','0.1033965');
INSERT INTO "study_user_attributes" VALUES(13,2,'task','{"name": "fruit", "ref": "fruit", "epochs": 2, "data_name": "corners", "data_path": "corners.npz", "data_fingerprint": "0ce44c3d3531e5df", "generated": false, "class_names": ["0", "1", "2"], "input_shape": [24, 24, 3], "n_train": 240, "n_val": 90, "n_test": 90, "notes": ["The baseline of task ''fruit'' is not tried: Parameter ''family'' cannot be ''flatten_dense'': it is one of cnn."], "baseline": {}, "baseline_note": "two convolutions and 1,664 dense units on all they see, 15.4 million parameters; a network of that size had 95 % on photos in the project it comes from, at 183 MB (.h5), and 67.5 % pruned and quantized to 15.26 MB", "settled": {}, "model_notes": []}');
INSERT INTO "study_user_attributes" VALUES(14,2,'search_space','[{"name": "learning_rate", "kind": "float", "default": 0.003, "low": 0.0003, "high": 0.02, "log": true}, {"name": "batch_size", "kind": "categorical", "default": 32, "choices": [16, 32, 64, 128]}, {"name": "optimizer", "kind": "categorical", "default": "adam", "choices": ["adam", "sgd"]}, {"name": "weight_decay", "kind": "float", "default": 1e-06, "low": 1e-06, "high": 0.01, "log": true}, {"name": "augmentation", "kind": "categorical", "default": "none", "choices": ["none", "flip+shift"]}, {"name": "augmentation_strength", "kind": "float", "default": 0.5, "low": 0.1, "high": 1.0, "conditions": [{"parameter": "augmentation", "values": ["flip+shift"]}]}, {"name": "family", "kind": "categorical", "default": "cnn", "choices": ["cnn"]}, {"name": "dropout", "kind": "float", "default": 0.0, "low": 0.0, "high": 0.5}, {"name": "blocks", "kind": "int", "default": 3, "low": 2, "high": 4, "step": 1, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "convolution", "kind": "categorical", "default": "plain", "choices": ["plain", "separable"], "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_1", "kind": "int", "default": 16, "low": 8, "high": 32, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_2", "kind": "int", "default": 32, "low": 8, "high": 64, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "filters_3", "kind": "int", "default": 40, "low": 16, "high": 64, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "blocks", "values": [3, 4]}]}, {"name": "filters_4", "kind": "int", "default": 56, "low": 16, "high": 96, "step": 8, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "blocks", "values": [4]}]}, {"name": "head", "kind": "categorical", "default": "average", "choices": ["flatten", "average"], "conditions": [{"parameter": "family", "values": ["cnn"]}]}, {"name": "dense_units", "kind": "int", "default": 16, "low": 16, "high": 128, "step": 16, "conditions": [{"parameter": "family", "values": ["cnn"]}, {"parameter": "head", "values": ["flatten"]}]}, {"name": "pruning_schedule", "kind": "categorical", "default": "polynomial", "choices": ["polynomial"]}, {"name": "final_sparsity", "kind": "float", "default": 0.475, "low": 0.3, "high": 0.95, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_begin", "kind": "float", "default": 0.2, "low": 0.0, "high": 0.4, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_end", "kind": "float", "default": 0.7, "low": 0.5, "high": 0.9, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "pruning_frequency", "kind": "float", "default": 0.02, "low": 0.01, "high": 0.1, "log": true, "conditions": [{"parameter": "pruning_schedule", "values": ["constant", "polynomial"]}]}, {"name": "quantization", "kind": "categorical", "default": "qat_int8", "choices": ["qat_int8"]}]');
INSERT INTO "study_user_attributes" VALUES(15,2,'data_fingerprint','"0ce44c3d3531e5df"');
INSERT INTO "study_user_attributes" VALUES(16,2,'device','"host"');
INSERT INTO "study_user_attributes" VALUES(17,2,'size_metric','"gzip"');
INSERT INTO "study_user_attributes" VALUES(18,2,'limits','{"max_size_bytes": null, "max_latency_ms": null, "min_accuracy": null, "max_ram_bytes": null}');
INSERT INTO "study_user_attributes" VALUES(19,2,'sampler','"gp"');
INSERT INTO "study_user_attributes" VALUES(20,2,'seed','3');
INSERT INTO "study_user_attributes" VALUES(21,2,'reference_point','{"error": 0.6666666666666667, "size_bytes": 100000000.0, "latency_ms": 10000.0}');
INSERT INTO "study_user_attributes" VALUES(22,2,'format','1');
INSERT INTO "study_user_attributes" VALUES(23,2,'n_trials','3');
INSERT INTO "study_user_attributes" VALUES(24,2,'reference_ms','0.091486');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(3,1,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(4,1,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(5,1,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(6,1,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(7,1,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(8,1,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(9,1,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(10,1,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(11,1,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(12,1,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(13,1,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(14,1,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(15,1,'quantization',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(16,2,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(17,2,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(18,2,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(19,2,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(20,2,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(21,2,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(22,2,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(23,2,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(24,2,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(25,2,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(26,2,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(27,2,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(28,2,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(29,2,'quantization',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(30,3,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(31,3,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(32,3,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(33,3,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(34,3,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(35,3,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(36,3,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(37,3,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(38,3,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(39,3,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(40,3,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(41,3,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(42,3,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(43,3,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(44,3,'quantization',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(45,4,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(46,4,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(47,4,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(48,4,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(49,4,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(50,4,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(51,4,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(52,4,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(53,4,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(54,4,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(55,4,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(56,4,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(57,4,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(58,4,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(59,4,'quantization',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(60,5,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(61,5,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(62,5,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(63,5,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(64,5,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(65,5,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(66,5,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(67,5,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(68,5,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(69,5,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(70,5,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(71,5,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(72,5,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(73,5,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(74,5,'quantization',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(75,6,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(76,6,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(77,6,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(78,6,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(79,6,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(80,6,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(81,6,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(82,6,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(83,6,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(84,6,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(85,6,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(86,6,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(87,6,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(88,6,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(89,6,'quantization',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(90,7,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(91,7,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(92,7,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(93,7,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(94,7,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(95,7,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(96,7,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(97,7,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(98,7,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(99,7,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(100,7,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(101,7,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(102,7,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(103,7,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(104,7,'quantization',5.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(105,8,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(106,8,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(107,8,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(108,8,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(109,8,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(110,8,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(111,8,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(112,8,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(113,8,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(114,8,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(115,8,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(116,8,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(117,8,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(118,8,'quantization',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(119,9,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(120,9,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(121,9,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(122,9,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(123,9,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(124,9,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(125,9,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(126,9,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(127,9,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(128,9,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(129,9,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(130,9,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(131,9,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(132,9,'quantization',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(133,10,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(134,10,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(135,10,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(136,10,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(137,10,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(138,10,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(139,10,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(140,10,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(141,10,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(142,10,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(143,10,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(144,10,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(145,10,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(146,10,'quantization',3.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(147,11,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(148,11,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(149,11,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(150,11,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(151,11,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(152,11,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(153,11,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(154,11,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(155,11,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(156,11,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(157,11,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(158,11,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(159,11,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(160,11,'quantization',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(161,12,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(162,12,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(163,12,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(164,12,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(165,12,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(166,12,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(167,12,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(168,12,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(169,12,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(170,12,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(171,12,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(172,12,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(173,12,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "constant", "polynomial"]}}');
INSERT INTO "trial_params" VALUES(174,12,'quantization',5.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["float32", "float16", "dynamic_range", "dynamic_int4", "int8", "int16x8", "qat_int8"]}}');
INSERT INTO "trial_params" VALUES(175,13,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(176,13,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(177,13,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(178,13,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(179,13,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(180,13,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(181,13,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(182,13,'blocks',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(183,13,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(184,13,'filters_1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(185,13,'filters_2',32.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(186,13,'filters_3',40.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 16, "high": 64}}');
INSERT INTO "trial_params" VALUES(187,13,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(188,13,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["polynomial"]}}');
INSERT INTO "trial_params" VALUES(189,13,'final_sparsity',0.475,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.95, "log": false}}');
INSERT INTO "trial_params" VALUES(190,13,'pruning_begin',0.2,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.4, "log": false}}');
INSERT INTO "trial_params" VALUES(191,13,'pruning_end',0.7,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 0.9, "log": false}}');
INSERT INTO "trial_params" VALUES(192,13,'pruning_frequency',0.02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(193,13,'quantization',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["qat_int8"]}}');
INSERT INTO "trial_params" VALUES(194,14,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(195,14,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(196,14,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(197,14,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(198,14,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(199,14,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(200,14,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(201,14,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(202,14,'convolution',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(203,14,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(204,14,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(205,14,'head',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(206,14,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["polynomial"]}}');
INSERT INTO "trial_params" VALUES(207,14,'final_sparsity',0.475,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.95, "log": false}}');
INSERT INTO "trial_params" VALUES(208,14,'pruning_begin',0.2,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.4, "log": false}}');
INSERT INTO "trial_params" VALUES(209,14,'pruning_end',0.7,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 0.9, "log": false}}');
INSERT INTO "trial_params" VALUES(210,14,'pruning_frequency',0.02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(211,14,'quantization',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["qat_int8"]}}');
INSERT INTO "trial_params" VALUES(212,15,'learning_rate',0.003,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0003, "high": 0.02, "log": true}}');
INSERT INTO "trial_params" VALUES(213,15,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [16, 32, 64, 128]}}');
INSERT INTO "trial_params" VALUES(214,15,'optimizer',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["adam", "sgd"]}}');
INSERT INTO "trial_params" VALUES(215,15,'weight_decay',1.0e-06,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-06, "high": 0.01, "log": true}}');
INSERT INTO "trial_params" VALUES(216,15,'augmentation',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["none", "flip+shift"]}}');
INSERT INTO "trial_params" VALUES(217,15,'family',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["cnn"]}}');
INSERT INTO "trial_params" VALUES(218,15,'dropout',0.0,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.5, "log": false}}');
INSERT INTO "trial_params" VALUES(219,15,'blocks',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 2, "high": 4}}');
INSERT INTO "trial_params" VALUES(220,15,'convolution',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["plain", "separable"]}}');
INSERT INTO "trial_params" VALUES(221,15,'filters_1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 32}}');
INSERT INTO "trial_params" VALUES(222,15,'filters_2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 8, "low": 8, "high": 64}}');
INSERT INTO "trial_params" VALUES(223,15,'head',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["flatten", "average"]}}');
INSERT INTO "trial_params" VALUES(224,15,'dense_units',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 16, "low": 16, "high": 128}}');
INSERT INTO "trial_params" VALUES(225,15,'pruning_schedule',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["polynomial"]}}');
INSERT INTO "trial_params" VALUES(226,15,'final_sparsity',0.475,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.3, "high": 0.95, "log": false}}');
INSERT INTO "trial_params" VALUES(227,15,'pruning_begin',0.2,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.4, "log": false}}');
INSERT INTO "trial_params" VALUES(228,15,'pruning_end',0.7,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.5, "high": 0.9, "log": false}}');
INSERT INTO "trial_params" VALUES(229,15,'pruning_frequency',0.02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.1, "log": true}}');
INSERT INTO "trial_params" VALUES(230,15,'quantization',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["qat_int8"]}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(2,1,'artifacts:1d3ef99607c5-2b9a1f60dd094aceab2cddd8a9765cde','"{\"artifact_id\": \"1d3ef99607c5-2b9a1f60dd094aceab2cddd8a9765cde\", \"filename\": \"history.json\", \"mimetype\": \"application/json\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(3,3,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(4,3,'artifacts:1d3ef99607c5-22635976ba064f2294d017bc8a5b64e5','"{\"artifact_id\": \"1d3ef99607c5-22635976ba064f2294d017bc8a5b64e5\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(5,4,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(6,5,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(7,5,'artifacts:1d3ef99607c5-b8cddf6d76ad49bd8bb3693394815952','"{\"artifact_id\": \"1d3ef99607c5-b8cddf6d76ad49bd8bb3693394815952\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(8,6,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(9,6,'artifacts:1d3ef99607c5-93dcc13e60454846bfb18e172ec43f2a','"{\"artifact_id\": \"1d3ef99607c5-93dcc13e60454846bfb18e172ec43f2a\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(10,7,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(11,2,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(12,2,'artifacts:1d3ef99607c5-b6dfcf46986e46098134544fa6ad07fe','"{\"artifact_id\": \"1d3ef99607c5-b6dfcf46986e46098134544fa6ad07fe\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(13,2,'artifacts:1d3ef99607c5-c8afb5e7f6994e19bd66c1a3c245a52a','"{\"artifact_id\": \"1d3ef99607c5-c8afb5e7f6994e19bd66c1a3c245a52a\", \"filename\": \"history.json\", \"mimetype\": \"application/json\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(14,8,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(15,8,'artifacts:1d3ef99607c5-33c2d7a90bf346288cb50c929eaa965a','"{\"artifact_id\": \"1d3ef99607c5-33c2d7a90bf346288cb50c929eaa965a\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(16,9,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(17,9,'artifacts:1d3ef99607c5-210ea791b3634286a8842521b19bf968','"{\"artifact_id\": \"1d3ef99607c5-210ea791b3634286a8842521b19bf968\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(18,10,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(19,10,'artifacts:1d3ef99607c5-16220d0bb775494681872e2a61359493','"{\"artifact_id\": \"1d3ef99607c5-16220d0bb775494681872e2a61359493\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(20,11,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(21,11,'artifacts:1d3ef99607c5-4b9b94573ad94425b32a3f1e964b84d5','"{\"artifact_id\": \"1d3ef99607c5-4b9b94573ad94425b32a3f1e964b84d5\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(22,12,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(23,13,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(24,13,'artifacts:85e8d7782d0d-3a1392f4b2494390b81ff411c333d585','"{\"artifact_id\": \"85e8d7782d0d-3a1392f4b2494390b81ff411c333d585\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(25,13,'artifacts:85e8d7782d0d-1943009824364f1ba6b1b387cd0722f1','"{\"artifact_id\": \"85e8d7782d0d-1943009824364f1ba6b1b387cd0722f1\", \"filename\": \"history.json\", \"mimetype\": \"application/json\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(26,14,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(27,14,'artifacts:85e8d7782d0d-350308d77f2642e1a52c8926f0770f06','"{\"artifact_id\": \"85e8d7782d0d-350308d77f2642e1a52c8926f0770f06\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(28,14,'artifacts:85e8d7782d0d-dbf81ad132be4d578b9b7db02b29289d','"{\"artifact_id\": \"85e8d7782d0d-dbf81ad132be4d578b9b7db02b29289d\", \"filename\": \"history.json\", \"mimetype\": \"application/json\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(29,15,'constraints','[0.0, 0.0, 0.0, -0.0, 0.0]');
INSERT INTO "trial_system_attributes" VALUES(30,15,'artifacts:85e8d7782d0d-fc1a7f889d8e46079bd5f1bb7b839566','"{\"artifact_id\": \"85e8d7782d0d-fc1a7f889d8e46079bd5f1bb7b839566\", \"filename\": \"model.tflite\", \"mimetype\": \"application/octet-stream\", \"encoding\": null}"');
INSERT INTO "trial_system_attributes" VALUES(31,15,'artifacts:85e8d7782d0d-68bc62c5cd474037bb664a6351c56ced','"{\"artifact_id\": \"85e8d7782d0d-68bc62c5cd474037bb664a6351c56ced\", \"filename\": \"history.json\", \"mimetype\": \"application/json\", \"encoding\": null}"');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "float32", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(2,1,'config_hash','"d862daf83cd2e532"');
INSERT INTO "trial_user_attributes" VALUES(3,1,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(4,2,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "float32", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(5,2,'config_hash','"c00140ecf2a31773"');
INSERT INTO "trial_user_attributes" VALUES(6,2,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(7,1,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(8,1,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(9,1,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(10,1,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(11,1,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(12,1,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(13,1,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(14,1,'ledger','{"tflite_bytes": 69424, "gzip_bytes": 63313, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(15,1,'latency','{"median_ms": 0.045688, "spread_ms": 0.007289999999999998, "min_ms": 0.041924, "n_runs": 117, "n_warmup": 53, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.1033965, "reference_ratio": 0.44187182351433557, "scatter": 0.004956806319486817, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(16,1,'tflite_sha256','"af6fb56657a619f01b3dfdf0dc68837e149903eaa1f9951cc0136ec927460476"');
INSERT INTO "trial_user_attributes" VALUES(17,1,'hypervolume_gain','0.5008520229390024');
INSERT INTO "trial_user_attributes" VALUES(18,3,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "float16", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(19,3,'config_hash','"5f6b187d38206202"');
INSERT INTO "trial_user_attributes" VALUES(20,3,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(21,3,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(22,3,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(23,3,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(24,3,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(25,3,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(26,3,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(27,3,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(28,3,'ledger','{"tflite_bytes": 36440, "gzip_bytes": 32297, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(29,3,'latency','{"median_ms": 0.037701, "spread_ms": 0.004661249999999999, "min_ms": 0.037362, "n_runs": 612, "n_warmup": 71, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.096418, "reference_ratio": 0.39101620029455075, "scatter": 0.028810136218115467, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(30,3,'tflite_sha256','"3267d8e9d8f95fd3f1970a94b55637b6f22d13971f1d32de0ce9b60e12413274"');
INSERT INTO "trial_user_attributes" VALUES(31,3,'derived_from','0');
INSERT INTO "trial_user_attributes" VALUES(32,4,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "dynamic_range", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(33,4,'config_hash','"99ad47ccdc427671"');
INSERT INTO "trial_user_attributes" VALUES(34,4,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(35,4,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(36,4,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(37,4,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(38,4,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(39,4,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(40,4,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(41,4,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(42,4,'ledger','{"tflite_bytes": 20576, "gzip_bytes": 18150, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(43,4,'latency','{"median_ms": 0.06387899999999999, "spread_ms": 0.003934250000000007, "min_ms": 0.05457, "n_runs": 108, "n_warmup": 48, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.10400899999999999, "reference_ratio": 0.6141680046919016, "scatter": 0.0022819462188555188, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(44,4,'tflite_sha256','"33243f4d7d0f2885ab15b30b0a50fb1ac4ac738938dfb21191049e21d2d5c802"');
INSERT INTO "trial_user_attributes" VALUES(45,4,'derived_from','0');
INSERT INTO "trial_user_attributes" VALUES(46,5,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "dynamic_int4", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(47,5,'config_hash','"a708f8d76f64ab85"');
INSERT INTO "trial_user_attributes" VALUES(48,5,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(49,5,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(50,5,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(51,5,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(52,5,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(53,5,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(54,5,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(55,5,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(56,5,'ledger','{"tflite_bytes": 12232, "gzip_bytes": 9559, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(57,5,'latency','{"median_ms": 0.079552, "spread_ms": 0.025272249999999996, "min_ms": 0.068957, "n_runs": 252, "n_warmup": 29, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.0966065, "reference_ratio": 0.8234642596512657, "scatter": 0.037954412516237414, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(58,5,'tflite_sha256','"484d1af7e4c65f78661e60de07c490001bb5757a296ba31d16ff36a54b79770d"');
INSERT INTO "trial_user_attributes" VALUES(59,5,'derived_from','0');
INSERT INTO "trial_user_attributes" VALUES(60,6,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "int8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(61,6,'config_hash','"6ad5389715a62be3"');
INSERT INTO "trial_user_attributes" VALUES(62,6,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(63,6,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(64,6,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(65,6,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(66,6,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(67,6,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(68,6,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(69,6,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(70,6,'ledger','{"tflite_bytes": 20000, "gzip_bytes": 17110, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(71,6,'latency','{"median_ms": 0.0614155, "spread_ms": 0.02085324999999999, "min_ms": 0.036201, "n_runs": 636, "n_warmup": 49, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.1005105, "reference_ratio": 0.6110356629406878, "scatter": 0.04930149155006905, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(72,6,'tflite_sha256','"d8f800a47ad34ae4a75a53d13a607b415680973e6d0123df90aa6656ccda0e27"');
INSERT INTO "trial_user_attributes" VALUES(73,6,'derived_from','0');
INSERT INTO "trial_user_attributes" VALUES(74,7,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "int16x8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(75,7,'config_hash','"d54de008a28d9804"');
INSERT INTO "trial_user_attributes" VALUES(76,7,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(77,7,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(78,7,'seconds','{"gate": 0.9415, "build": 0.0, "train": 1.5034, "convert": 0.3688, "measure": 0.207, "latency": 0.3061}');
INSERT INTO "trial_user_attributes" VALUES(79,7,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(80,7,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(81,7,'val_accuracy','[0.444444, 0.877778]');
INSERT INTO "trial_user_attributes" VALUES(82,7,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "conv_3": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(83,7,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(84,7,'ledger','{"tflite_bytes": 20360, "gzip_bytes": 17216, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 17035, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(85,7,'latency','{"median_ms": 1.0200055, "spread_ms": 0.4742660000000001, "min_ms": 0.870941, "n_runs": 24, "n_warmup": 4, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.0963665, "reference_ratio": 10.584648192058443, "scatter": 0.0661991808811678, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(86,7,'tflite_sha256','"80f7a5e73410668188f68d1d0a17ff49d688c050f99e8fa526bc77e03b30702a"');
INSERT INTO "trial_user_attributes" VALUES(87,7,'derived_from','0');
INSERT INTO "trial_user_attributes" VALUES(88,2,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(89,2,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(90,2,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(91,2,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(92,2,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(93,2,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(94,2,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(95,2,'ledger','{"tflite_bytes": 5248, "gzip_bytes": 3986, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(96,2,'latency','{"median_ms": 0.014263, "spread_ms": 0.0005125000000000008, "min_ms": 0.014067, "n_runs": 715, "n_warmup": 191, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.0901605, "reference_ratio": 0.15819566218022305, "scatter": 0.004812314988118664, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(97,2,'tflite_sha256','"39532d9a06c0789274e7ed4ec470adaed40dd1b30a679dec8c60e73cdde3fd9b"');
INSERT INTO "trial_user_attributes" VALUES(98,2,'hypervolume_gain','0.0');
INSERT INTO "trial_user_attributes" VALUES(99,8,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "float16", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(100,8,'config_hash','"3a3d8a71261472e1"');
INSERT INTO "trial_user_attributes" VALUES(101,8,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(102,8,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(103,8,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(104,8,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(105,8,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(106,8,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(107,8,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(108,8,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(109,8,'ledger','{"tflite_bytes": 3908, "gzip_bytes": 2560, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(110,8,'latency','{"median_ms": 0.0142365, "spread_ms": 0.0001244999999999996, "min_ms": 0.014038, "n_runs": 994, "n_warmup": 197, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.0881455, "reference_ratio": 0.16151136473217576, "scatter": 0.004576619428131798, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(111,8,'tflite_sha256','"600691655bfcb64312f6fc02d074f6deb9d9ef633300ac5d198cb1dc7cbe7e0d"');
INSERT INTO "trial_user_attributes" VALUES(112,8,'derived_from','1');
INSERT INTO "trial_user_attributes" VALUES(113,9,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "dynamic_range", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(114,9,'config_hash','"a3a3943913d3c804"');
INSERT INTO "trial_user_attributes" VALUES(115,9,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(116,9,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(117,9,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(118,9,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(119,9,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(120,9,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(121,9,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(122,9,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(123,9,'ledger','{"tflite_bytes": 3112, "gzip_bytes": 1832, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(124,9,'latency','{"median_ms": 0.0331135, "spread_ms": 0.00296275, "min_ms": 0.032933, "n_runs": 180, "n_warmup": 83, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.088018, "reference_ratio": 0.3762128201049785, "scatter": 0.0007601876422699003, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(125,9,'tflite_sha256','"4df7f88650fdbdfa5592928903e4332b1647be61e1e86175658e77acbf510126"');
INSERT INTO "trial_user_attributes" VALUES(126,9,'derived_from','1');
INSERT INTO "trial_user_attributes" VALUES(127,10,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "dynamic_int4", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(128,10,'config_hash','"36fd937d5c356f01"');
INSERT INTO "trial_user_attributes" VALUES(129,10,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(130,10,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(131,10,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(132,10,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(133,10,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(134,10,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(135,10,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(136,10,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(137,10,'ledger','{"tflite_bytes": 2704, "gzip_bytes": 1385, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(138,10,'latency','{"median_ms": 0.0438445, "spread_ms": 0.0038312500000000013, "min_ms": 0.040462, "n_runs": 576, "n_warmup": 65, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.0912155, "reference_ratio": 0.4806694037745778, "scatter": 0.009231091608536808, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(139,10,'tflite_sha256','"79641f6f08fc3a923f5329585d456f1e99b7a85cdd3ee7e04542ab9c118277ed"');
INSERT INTO "trial_user_attributes" VALUES(140,10,'derived_from','1');
INSERT INTO "trial_user_attributes" VALUES(141,11,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "int8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(142,11,'config_hash','"4003cb2e7f430715"');
INSERT INTO "trial_user_attributes" VALUES(143,11,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(144,11,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(145,11,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(146,11,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(147,11,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(148,11,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(149,11,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(150,11,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(151,11,'ledger','{"tflite_bytes": 3272, "gzip_bytes": 1798, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(152,11,'latency','{"median_ms": 0.03866, "spread_ms": 0.002076499999999995, "min_ms": 0.038345, "n_runs": 162, "n_warmup": 77, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.09883049999999999, "reference_ratio": 0.3911747891592171, "scatter": 0.004489660055247685, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(153,11,'tflite_sha256','"2ef73ce82062eea4663bb8f94a42dac7af11d4ffa3ba27e6c1cfe97138e79f27"');
INSERT INTO "trial_user_attributes" VALUES(154,11,'derived_from','1');
INSERT INTO "trial_user_attributes" VALUES(155,12,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "none", "final_sparsity": 0.0, "begin": 0.0, "end": 1.0, "frequency": 0.05}, "quantization": "int16x8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(156,12,'config_hash','"fda0c4bb218baa7f"');
INSERT INTO "trial_user_attributes" VALUES(157,12,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(158,12,'epochs_trained','2');
INSERT INTO "trial_user_attributes" VALUES(159,12,'seconds','{"gate": 0.4183, "build": 0.0, "train": 0.755, "convert": 0.1858, "measure": 0.0474, "latency": 0.2221}');
INSERT INTO "trial_user_attributes" VALUES(160,12,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(161,12,'worker','"vm:8327"');
INSERT INTO "trial_user_attributes" VALUES(162,12,'val_accuracy','[0.333333, 0.222222]');
INSERT INTO "trial_user_attributes" VALUES(163,12,'sparsity','{"overall": 0.0, "conv_1": 0.0, "conv_2": 0.0, "logits": 0.0}');
INSERT INTO "trial_user_attributes" VALUES(164,12,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(165,12,'ledger','{"tflite_bytes": 3352, "gzip_bytes": 1803, "sparse_bytes": null, "n_params": 883, "n_nonzero": 883, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(166,12,'latency','{"median_ms": 0.30964899999999995, "spread_ms": 0.017503999999999964, "min_ms": 0.290166, "n_runs": 72, "n_warmup": 10, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.1031425, "reference_ratio": 3.002147514361199, "scatter": 0.005535610814932423, "quiet": true, "note": "", "baseline_ms": 0.1033965}');
INSERT INTO "trial_user_attributes" VALUES(167,12,'tflite_sha256','"716307918eb20970cd6d1c6f04933c9b71818b40f37bb42783df49398b32772b"');
INSERT INTO "trial_user_attributes" VALUES(168,12,'derived_from','1');
INSERT INTO "trial_user_attributes" VALUES(169,13,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 3, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 16, "filters_2": 32, "filters_3": 40, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "polynomial", "final_sparsity": 0.475, "begin": 0.2, "end": 0.7, "frequency": 0.02}, "quantization": "qat_int8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(170,13,'config_hash','"86119de805364eff"');
INSERT INTO "trial_user_attributes" VALUES(171,13,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(172,14,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "plain", "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "average"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "polynomial", "final_sparsity": 0.475, "begin": 0.2, "end": 0.7, "frequency": 0.02}, "quantization": "qat_int8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(173,14,'config_hash','"e68f0a4cc89fef1d"');
INSERT INTO "trial_user_attributes" VALUES(174,14,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(175,13,'epochs_trained','3');
INSERT INTO "trial_user_attributes" VALUES(176,13,'seconds','{"gate": 1.3356, "build": 0.0, "train": 1.598, "qat": 3.7198, "convert": 0.4033, "measure": 0.006, "latency": 0.0614}');
INSERT INTO "trial_user_attributes" VALUES(177,13,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(178,13,'worker','"vm:8622"');
INSERT INTO "trial_user_attributes" VALUES(179,13,'val_accuracy','[0.877778, 0.933333, 1.0]');
INSERT INTO "trial_user_attributes" VALUES(180,13,'sparsity','{"overall": 0.475, "conv_1": 0.47453703703703703, "conv_2": 0.4750434027777778, "conv_3": 0.475, "logits": 0.475}');
INSERT INTO "trial_user_attributes" VALUES(181,13,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(182,13,'ledger','{"tflite_bytes": 22104, "gzip_bytes": 14058, "sparse_bytes": null, "n_params": 17035, "n_nonzero": 9112, "macs": 1327224, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(183,13,'latency','{"median_ms": 0.038658, "spread_ms": 0.001525499999999999, "min_ms": 0.036445, "n_runs": 648, "n_warmup": 74, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.091486, "reference_ratio": 0.4225564567256192, "scatter": 0.0062399002105840195, "quiet": true, "note": "", "baseline_ms": 0.091486}');
INSERT INTO "trial_user_attributes" VALUES(184,13,'tflite_sha256','"f5c460ae15ddb1ee29323230435292453666ef095f70f43b2daeac94098fe771"');
INSERT INTO "trial_user_attributes" VALUES(185,13,'hypervolume_gain','0.5957247933363052');
INSERT INTO "trial_user_attributes" VALUES(186,15,'config','{"task": "fruit", "data_fingerprint": "0ce44c3d3531e5df", "hyperparameters": {"blocks": 2, "convolution": "separable", "dense_units": 16, "dropout": 0.0, "family": "cnn", "filters_1": 8, "filters_2": 8, "head": "flatten"}, "training": {"learning_rate": 0.003, "batch_size": 32, "optimizer": "adam", "weight_decay": 1e-06, "epochs": 2, "qat_epochs": 1}, "pruning": {"schedule": "polynomial", "final_sparsity": 0.475, "begin": 0.2, "end": 0.7, "frequency": 0.02}, "quantization": "qat_int8", "seed": 3, "threads": 1}');
INSERT INTO "trial_user_attributes" VALUES(187,15,'config_hash','"d73d1d9ad3431e84"');
INSERT INTO "trial_user_attributes" VALUES(188,15,'seed','3');
INSERT INTO "trial_user_attributes" VALUES(189,14,'epochs_trained','3');
INSERT INTO "trial_user_attributes" VALUES(190,14,'seconds','{"gate": 0.429, "build": 0.0, "train": 0.6528, "qat": 1.2662, "convert": 0.2999, "measure": 0.0059, "latency": 0.0619}');
INSERT INTO "trial_user_attributes" VALUES(191,14,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(192,14,'worker','"vm:8622"');
INSERT INTO "trial_user_attributes" VALUES(193,14,'val_accuracy','[0.333333, 0.333333, 0.333333]');
INSERT INTO "trial_user_attributes" VALUES(194,14,'sparsity','{"overall": 0.47549019607843135, "conv_1": 0.47685185185185186, "conv_2": 0.4756944444444444, "logits": 0.4583333333333333}');
INSERT INTO "trial_user_attributes" VALUES(195,14,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(196,14,'ledger','{"tflite_bytes": 3680, "gzip_bytes": 1744, "sparse_bytes": null, "n_params": 883, "n_nonzero": 495, "macs": 207384, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(197,14,'latency','{"median_ms": 0.0358095, "spread_ms": 0.010009749999999998, "min_ms": 0.034336, "n_runs": 648, "n_warmup": 70, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.093553, "reference_ratio": 0.3827723322608575, "scatter": 0.015773637918448238, "quiet": true, "note": "", "baseline_ms": 0.091486}');
INSERT INTO "trial_user_attributes" VALUES(198,14,'tflite_sha256','"eecc34d1f61b1bf6b8a8630ac8c64bc9901f09812d29e1207d28dcbe4a5a5e34"');
INSERT INTO "trial_user_attributes" VALUES(199,14,'hypervolume_gain','0.0');
INSERT INTO "trial_user_attributes" VALUES(200,15,'epochs_trained','3');
INSERT INTO "trial_user_attributes" VALUES(201,15,'seconds','{"gate": 0.6049, "build": 0.0, "train": 0.6048, "qat": 1.9614, "convert": 0.4016, "measure": 0.0233, "latency": 0.0589}');
INSERT INTO "trial_user_attributes" VALUES(202,15,'versions','{"python": "3.11.7", "tensorflow": "2.21.0", "tf_keras": "2.21.0", "tensorflow-model-optimization": "0.8.1", "litert-quantizer": "0.11.0", "ai-edge-litert": "2.3.0", "numpy": "2.4.6"}');
INSERT INTO "trial_user_attributes" VALUES(203,15,'worker','"vm:8622"');
INSERT INTO "trial_user_attributes" VALUES(204,15,'val_accuracy','[0.444444, 0.577778, 0.944444]');
INSERT INTO "trial_user_attributes" VALUES(205,15,'sparsity','{"overall": 0.47491568296795955, "conv_1": 0.4583333333333333, "conv_2": 0.46875, "dense": 0.4750434027777778, "logits": 0.4791666666666667}');
INSERT INTO "trial_user_attributes" VALUES(206,15,'outcome','"complete"');
INSERT INTO "trial_user_attributes" VALUES(207,15,'ledger','{"tflite_bytes": 9272, "gzip_bytes": 5069, "sparse_bytes": null, "n_params": 4926, "n_nonzero": 2672, "macs": 53616, "arena_bytes": null, "flash_bytes": null, "device_agreement": null}');
INSERT INTO "trial_user_attributes" VALUES(208,15,'latency','{"median_ms": 0.041762999999999995, "spread_ms": 0.015921000000000005, "min_ms": 0.028586, "n_runs": 372, "n_warmup": 39, "threads": 1, "device": "host", "runtime": "ai-edge-litert 2.3.0 (XNNPACK)", "kernels": "XNNPACK in libpywrap_litert_common.so sha256:i-ZniAxh1Qaj_1_aDtvlzNjuEGM142SJo0Dh_cPYWA0", "reference": "conv-16x16-v1", "reference_ms": 0.11825150000000001, "reference_ratio": 0.35317099571675614, "scatter": 0.041450087863905784, "quiet": true, "note": "", "baseline_ms": 0.091486}');
INSERT INTO "trial_user_attributes" VALUES(209,15,'tflite_sha256','"b4dc404ef4110a9290255cdc71b2f24ab7313ee2765419d710fb5753ba222b9d"');
INSERT INTO "trial_user_attributes" VALUES(210,15,'hypervolume_gain','0.07156403639207054');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,8.77777777777777767909e-01,'FINITE');
INSERT INTO "trial_values" VALUES(2,1,1,63313.0,'FINITE');
INSERT INTO "trial_values" VALUES(3,1,2,0.045688,'FINITE');
INSERT INTO "trial_values" VALUES(4,3,0,8.77777777777777767909e-01,'FINITE');
INSERT INTO "trial_values" VALUES(5,3,1,32297.0,'FINITE');
INSERT INTO "trial_values" VALUES(6,3,2,4.04297065537555164183e-02,'FINITE');
INSERT INTO "trial_values" VALUES(7,4,0,8.77777777777777767909e-01,'FINITE');
INSERT INTO "trial_values" VALUES(8,4,1,18150.0,'FINITE');
INSERT INTO "trial_values" VALUES(9,4,2,0.0635028220971262,'FINITE');
INSERT INTO "trial_values" VALUES(10,5,0,8.44444444444444441977e-01,'FINITE');
INSERT INTO "trial_values" VALUES(11,5,1,9559.0,'FINITE');
INSERT INTO "trial_values" VALUES(12,5,2,0.0851433223230321,'FINITE');
INSERT INTO "trial_values" VALUES(13,6,0,8.77777777777777767909e-01,'FINITE');
INSERT INTO "trial_values" VALUES(14,6,1,17110.0,'FINITE');
INSERT INTO "trial_values" VALUES(15,6,2,6.31789489232468248758e-02,'FINITE');
INSERT INTO "trial_values" VALUES(16,7,0,8.77777777777777767909e-01,'FINITE');
INSERT INTO "trial_values" VALUES(17,7,1,17216.0,'FINITE');
INSERT INTO "trial_values" VALUES(18,7,2,1.09441557679017087423e+00,'FINITE');
INSERT INTO "trial_values" VALUES(19,2,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(20,2,1,3986.0,'FINITE');
INSERT INTO "trial_values" VALUES(21,2,2,1.63568777846174323586e-02,'FINITE');
INSERT INTO "trial_values" VALUES(22,8,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(23,8,1,2560.0,'FINITE');
INSERT INTO "trial_values" VALUES(24,8,2,1.66997098235304106128e-02,'FINITE');
INSERT INTO "trial_values" VALUES(25,9,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(26,9,1,1832.0,'FINITE');
INSERT INTO "trial_values" VALUES(27,9,2,3.88990888539844092974e-02,'FINITE');
INSERT INTO "trial_values" VALUES(28,10,0,2.77777777777777790113e-01,'FINITE');
INSERT INTO "trial_values" VALUES(29,10,1,1385.0,'FINITE');
INSERT INTO "trial_values" VALUES(30,10,2,4.96995340073781363687e-02,'FINITE');
INSERT INTO "trial_values" VALUES(31,11,0,2.11111111111111110494e-01,'FINITE');
INSERT INTO "trial_values" VALUES(32,11,1,1798.0,'FINITE');
INSERT INTO "trial_values" VALUES(33,11,2,4.0446104087300989438e-02,'FINITE');
INSERT INTO "trial_values" VALUES(34,12,0,2.22222222222222209886e-01,'FINITE');
INSERT INTO "trial_values" VALUES(35,12,1,1803.0,'FINITE');
INSERT INTO "trial_values" VALUES(36,12,2,3.10411545468647687151e-01,'FINITE');
INSERT INTO "trial_values" VALUES(37,13,0,1.0,'FINITE');
INSERT INTO "trial_values" VALUES(38,13,1,14058.0,'FINITE');
INSERT INTO "trial_values" VALUES(39,13,2,0.038658,'FINITE');
INSERT INTO "trial_values" VALUES(40,14,0,3.33333333333333314829e-01,'FINITE');
INSERT INTO "trial_values" VALUES(41,14,1,1744.0,'FINITE');
INSERT INTO "trial_values" VALUES(42,14,2,3.50183095892168047558e-02,'FINITE');
INSERT INTO "trial_values" VALUES(43,15,0,9.44444444444444419772e-01,'FINITE');
INSERT INTO "trial_values" VALUES(44,15,1,5069.0,'FINITE');
INSERT INTO "trial_values" VALUES(45,15,2,3.23102017141431510638e-02,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-26 15:51:49.023331','2026-11-26 15:51:52.970248');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-26 15:51:49.030500','2026-11-26 15:51:54.613655');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-26 15:51:52.968985','2026-11-26 15:51:52.968985');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-26 15:51:52.969197','2026-11-26 15:51:52.969197');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-26 15:51:52.969415','2026-11-26 15:51:52.969415');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-26 15:51:52.969601','2026-11-26 15:51:52.969601');
INSERT INTO "trials" VALUES(7,6,1,'COMPLETE','2026-11-26 15:51:52.969801','2026-11-26 15:51:52.969801');
INSERT INTO "trials" VALUES(8,7,1,'COMPLETE','2026-11-26 15:51:54.611218','2026-11-26 15:51:54.611218');
INSERT INTO "trials" VALUES(9,8,1,'COMPLETE','2026-11-26 15:51:54.611621','2026-11-26 15:51:54.611621');
INSERT INTO "trials" VALUES(10,9,1,'COMPLETE','2026-11-26 15:51:54.612204','2026-11-26 15:51:54.612204');
INSERT INTO "trials" VALUES(11,10,1,'COMPLETE','2026-11-26 15:51:54.612663','2026-11-26 15:51:54.612663');
INSERT INTO "trials" VALUES(12,11,1,'COMPLETE','2026-11-26 15:51:54.613046','2026-11-26 15:51:54.613046');
INSERT INTO "trials" VALUES(13,0,2,'COMPLETE','2026-11-26 15:52:26.717180','2026-11-26 15:52:33.902127');
INSERT INTO "trials" VALUES(14,1,2,'COMPLETE','2026-11-26 15:52:26.728225','2026-11-26 15:52:36.626956');
INSERT INTO "trials" VALUES(15,2,2,'COMPLETE','2026-11-26 15:52:33.910755','2026-11-26 15:52:40.291117');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
