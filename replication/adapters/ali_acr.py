"""Alibaba Cloud's container registry."""

from replication.adapters.docker_registry import DockerRegistry

REGIONS = [
    "cn-qingdao",
    "cn-beijing",
    "cn-zhangjiakou",
    "cn-huhehaote",
    "cn-wulanchabu",
    "cn-hangzhou",
    "cn-shanghai",
    "cn-shenzhen",
    "cn-heyuan",
    "cn-guangzhou",
    "cn-chengdu",
    "cn-hongkong",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-south-1",
    "ap-northeast-1",
    "us-west-1",
    "us-east-1",
    "eu-central-1",
    "eu-west-1",
    "me-east-1",
]


class Alibaba(DockerRegistry):
    """As a plain registry: the credentials are those of ``docker login``."""

    kind = "ali-acr"
    title = "Alibaba Cloud ACR"
    endpoints = {name: f"https://registry.{name}.aliyuncs.com" for name in REGIONS}
