"""The main job, by a client generated from the API's document: a customer, an org, a space, a user, a key, a site."""

import sys
import time
from pathlib import Path

from wpaas_client import AuthenticatedClient
from wpaas_client.api.customers import customers_delete, customers_register
from wpaas_client.api.keys import keys_create
from wpaas_client.api.orgs import orgs_create
from wpaas_client.api.sites import sites_create_in_org, sites_delete_in_org, sites_get_in_org
from wpaas_client.api.spaces import spaces_create
from wpaas_client.api.users import users_create
from wpaas_client.models import NewCustomerDto, NewKeyDto, NewOrgDto, NewSiteDto, NewSpaceDto, NewUserDto

api, token_file = sys.argv[1:]


def as_one(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=api, token=token, raise_on_unexpected_status=True)


def done(answer, status: int):
    assert answer.status_code == status, f"{answer.status_code}: {answer.content.decode()}"
    return answer.parsed


operator = as_one(Path(token_file).read_text().strip())
email, password = "owner@acme.example", "correct horse battery"
new = NewCustomerDto(name="Acme", email=email, password=password)
customer = done(customers_register.sync_detailed(client=operator, body=new), 201)
org = done(orgs_create.sync_detailed(client=operator, body=NewOrgDto(cid=customer.cid, name="shop")), 201)
space = done(spaces_create.sync_detailed(client=operator, body=NewSpaceDto(org_id=org.id, name="live")), 201)
new = NewUserDto(cid=customer.cid, name="ada", email="ada@acme.example", spaces=[space.id])
user = done(users_create.sync_detailed(client=operator, body=new), 201)
first = as_one(user.api_key.key)
new = NewKeyDto(label="main job", lifetime="1h")
key = done(keys_create.sync_detailed(customer.cid, user.username, client=first, body=new), 201)
ada = as_one(key.key)
new = NewSiteDto(name="blog", admin_password="a fine password", num_instances=2)
at = (customer.cid, "shop", "live")
site = done(sites_create_in_org.sync_detailed(*at, client=ada, body=new), 202)
assert site.expected_num_instances == 2, site

deadline = time.monotonic() + 120
while site.status.phase != "ready":
    assert time.monotonic() < deadline, site
    time.sleep(0.2)
    site = done(sites_get_in_org.sync_detailed(*at, "blog", client=ada), 200)
assert site.num_instances == 2, site

site = done(sites_delete_in_org.sync_detailed(*at, "blog", client=ada, grace="0"), 202)
assert site.status.phase == "deleting", site
while sites_get_in_org.sync_detailed(*at, "blog", client=ada).status_code != 404:
    assert time.monotonic() < deadline, "the site does not go"
    time.sleep(0.2)
gone = done(customers_delete.sync_detailed(customer.cid, client=operator, grace="0"), 202)
assert gone.status == "to_be_removed", gone
print("    registered, made, waited, deleted")
