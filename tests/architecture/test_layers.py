"""Tables refer downwards only. The import contract cannot see foreign keys that are strings."""

from django.apps import apps

# The higher the number, the higher the layer; brokers and marketdata do not know each other.
LAYERS = {
    "exchange_project": 5,
    "orders": 4,
    "margin": 3,
    "ledger": 2,
    "brokers": 1,
    "marketdata": 1,
    "oversight": 0,
}


def test_every_app_of_ours_has_a_layer():
    ours = {config.label for config in apps.get_app_configs() if "." not in config.name}
    from_packages = {"unfold", "rest_framework", "drf_spectacular", "drf_spectacular_sidecar"}

    assert ours - from_packages - {"django_celery_beat"} == set(LAYERS)


def test_foreign_keys_go_down_or_stay_in_their_app():
    upward = []
    for label, layer in LAYERS.items():
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.get_fields():
                target_model = field.related_model
                if field.auto_created or not isinstance(target_model, type):
                    continue
                target = target_model._meta.app_label
                if target in LAYERS and target != label and LAYERS[target] >= layer:
                    upward.append(f"{model._meta.label}.{field.name} → {target}")

    assert upward == []


def test_the_check_sees_relations():
    """A relation that is known to be there is looked at, so an empty list above says something."""
    fields = apps.get_model("orders", "BrokerNet")._meta.get_fields()

    models = [field.related_model for field in fields if field.is_relation]
    targets = {model._meta.app_label for model in models if isinstance(model, type)}
    assert targets == {"brokers", "marketdata"}
