// XML as libvirt 9.0 writes it for running QEMU domains and for networks.
#pragma once
#include <string_view>

namespace weft::virt {

inline constexpr std::string_view kRunningDomain = R"(<domain type='kvm' id='7'>
  <name>web1</name>
  <uuid>02e40cd4-861f-4446-9b14-6118311f68d0</uuid>
  <metadata><x:y xmlns:x="https://example.org/"><interface type='network'/></x:y></metadata>
  <memory unit='KiB'>131072</memory>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
    <interface type='bridge'>
      <mac address='52:54:00:00:01:10'/>
      <source network='private1' portgroup='web' portid='7d0a-1' bridge='br-int'/>
      <virtualport type='openvswitch'>
        <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
        <parameters profileid='private1/web'/>
      </virtualport>
      <target dev='vnet3'/>
      <model type='virtio'/>
      <alias name='net0'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:01:11'/>
      <source bridge='br0'/>
      <target dev='vnet4'/>
      <alias name='net1'/>
    </interface>
    <interface type='direct'>
      <mac address='52:54:00:00:01:12'/>
      <source dev='eth0' mode='bridge'/>
    </interface>
    <interface type='user'/>
  </devices>
</domain>
)";

/// What libvirt gives back for weft's own definition: with a uuid, the connections counted and its own layout.
inline constexpr std::string_view kListedNetwork = R"(<network connections='2'>
  <name>private1</name>
  <uuid>048eb476-7ff1-4090-b3df-959484e37cb2</uuid>
  <title>the first</title>
  <metadata>
    <other:tool xmlns:other="https://example.org/network" name="x"/>
    <w:network xmlns:w="https://weft/libvirt/network/1" name="private1"/>
  </metadata>
  <forward mode='bridge'/>
  <bridge name='br-int'/>
  <virtualport type='openvswitch'/>
  <portgroup name='web' default='yes'>
    <virtualport type='openvswitch'>
      <parameters profileid='private1/web'/>
    </virtualport>
  </portgroup>
  <portgroup name='db'>
    <virtualport type='openvswitch'>
      <parameters profileid='private1/db'/>
    </virtualport>
  </portgroup>
</network>
)";

inline constexpr std::string_view kNatNetwork = R"(<network>
  <name>default</name>
  <uuid>dd8fe884-6c02-601e-7551-cca97df1c5df</uuid>
  <forward/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network>
)";

} // namespace weft::virt
