"""The instance metadata service, version 2 alone: each machine is told of itself, by the address that it asks from."""
import datetime
import http.server
import json
import secrets
import threading

ADDRESS = ("169.254.169.254", 80)
LIFE = "X-aws-ec2-metadata-token-ttl-seconds"


class Metadata:
    """What each address is answered."""

    def __init__(self, role):
        self.role, self.known, self.tokens = role, {}, set()
        service = http.server.ThreadingHTTPServer(ADDRESS, type("Handler", (Handler,), {"metadata": self}))
        threading.Thread(target=service.serve_forever, daemon=True).start()

    def tell(self, ip, instance, user_data):
        """This address is this instance of EC2's, with this user data."""
        zone, mac = instance["Placement"]["AvailabilityZone"], mac_of(ip)
        self.known[ip] = {
            "user-data": user_data,
            "dynamic": {"instance-identity": {"document": json.dumps({
                "instanceId": instance["InstanceId"], "region": zone[:-1], "availabilityZone": zone, "privateIp": ip,
                "imageId": instance["ImageId"], "instanceType": instance["InstanceType"], "accountId": "123456789012",
            })}},
            "meta-data": {
                "ami-id": instance["ImageId"],
                "hostname": f"ip-{ip.replace('.', '-')}.ec2.internal",
                "local-hostname": f"ip-{ip.replace('.', '-')}.ec2.internal",
                "instance-id": instance["InstanceId"],
                "instance-type": instance["InstanceType"],
                "local-ipv4": ip,
                "mac": mac,
                "placement": {"availability-zone": zone, "region": zone[:-1]},
                "network": {"interfaces": {"macs": {mac: {"device-number": "0", "local-ipv4s": ip, "mac": mac}}}},
                "iam": {"security-credentials": {self.role: self.credentials}},
            },
        }

    @staticmethod
    def credentials():
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)
        return json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIABOOT", "SecretAccessKey": "boot",
                           "Token": "boot", "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def find(self, ip, path):
        """What a path holds; a folder is a list of its names, its folders with a slash. None without."""
        version, *names = [name for name in path.split("/") if name] or [""]
        found = self.known.get(ip)
        if not found or version not in ("latest", "2021-03-23", "2009-04-04"):
            return None
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        if callable(found):
            found = found()
        if isinstance(found, dict):
            found = "\n".join(name + ("/" if isinstance(inner, dict) else "") for name, inner in found.items())
        return found.encode() if isinstance(found, str) else found


class Handler(http.server.BaseHTTPRequestHandler):
    metadata = None

    def do_PUT(self):
        life = self.headers.get(LIFE)
        if self.path != "/latest/api/token" or not life:
            return self.answer(400, b"")
        token = secrets.token_urlsafe(24)
        self.metadata.tokens.add(token)
        self.answer(200, token.encode(), {LIFE: life})

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") not in self.metadata.tokens:
            return self.answer(401, b"")
        found = self.metadata.find(self.client_address[0], self.path)
        self.answer(404 if found is None else 200, found or b"")

    def answer(self, status, body, head=()):
        self.send_response(status)
        for name, value in dict(head).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def mac_of(ip):
    """As Docker makes it of an address."""
    return "02:42:" + ":".join(f"{int(number):02x}" for number in ip.split("."))
