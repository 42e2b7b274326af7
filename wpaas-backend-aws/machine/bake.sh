# Installs what nodes of these kinds are made of, so that an image of this machine has it. The last line on the console
# tells how it ended; of the machine's own part nothing stays.
# shellcheck shell=bash disable=SC2154 # roles is set before
for role in $roles; do
    sed -i "s/^role=.*/role=$role/" /etc/wpaas-machine.conf
    if ! bash /usr/local/lib/wpaas-boot.sh bake; then
        touch /run/wpaas-baking-failed
        echo 'wpaas: baking failed'
        exit 1
    fi
done
rm -f /etc/wpaas-machine.conf /usr/local/lib/wpaas-machine.py /usr/local/lib/wpaas-boot.sh /run/setup.tar.gz
touch /run/wpaas-baked
echo 'wpaas: baked'
